"""run.py BUILD [--check]: adversaries of doubling size."""
import pathlib
import subprocess
import sys

program = pathlib.Path(sys.argv[1]) / "tests" / "bench" / "bench_mime_linear"
check = ["--check"] if "--check" in sys.argv[2:] else []
sys.exit(subprocess.run([program, *check]).returncode)
