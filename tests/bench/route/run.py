"""run.py BUILD [--check]: what is no ratio: loading, size, changes."""
import pathlib
import subprocess
import sys
import tempfile

build = pathlib.Path(sys.argv[1]) / "tests" / "bench"
check = ["--check"] if "--check" in sys.argv[2:] else []
with tempfile.TemporaryDirectory() as folder:
    subprocess.run([build / "bench_route_fixture", folder], check=True)
    sys.exit(subprocess.run([build / "bench_route_figures", folder,
                             *check]).returncode)
