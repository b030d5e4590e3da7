"""Each listing of README.md prints what stands below it."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

from support import DATA, HERE

README = (HERE.parent / "README.md").read_text()


class Readme(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        folder = pathlib.Path(self.folder.name)
        for name in ("signed.eml", "message.eml", "zone.txt", "rules.json"):
            (folder / name).write_bytes((DATA / "cli" / name).read_bytes())
        (folder / "key.pem").write_bytes(
            (DATA / "key/rsa2048.pem").read_bytes())

    def test_listings(self):
        listings = re.findall(
            r"^```python\n(.*?)^```\n(?:^```text\n(.*?)^```$)?", README,
            re.M | re.S)
        self.assertEqual(len(listings), README.count("```python\n"))
        for code, shown in listings:
            with self.subTest(code=code):
                done = subprocess.run(
                    [sys.executable, "-X", "dev", "-W", "error", "-c", code],
                    cwd=self.folder.name, capture_output=True, text=True,
                    timeout=120, encoding="utf-8",
                    env={**os.environ, "PYTHONPATH": str(HERE.parent),
                         "PYTHONIOENCODING": "utf-8"})
                self.assertEqual((done.stdout, done.stderr), (shown, ""))

    def test_it_starts_with_five_lines(self):
        first = README.split("```python\n")[1].split("```")[0]
        self.assertEqual(len(first.splitlines()), 5)

    def test_the_packages_version(self):
        import onward
        self.assertIn(f'\nversion = "{onward.__version__}"\n',
                      (HERE.parent / "pyproject.toml").read_text())


if __name__ == "__main__":
    unittest.main()
