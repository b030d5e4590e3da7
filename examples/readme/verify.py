"""verify.py RECORDS <MESSAGE: is this mail who it says it is?"""
import pathlib
import sys
import onward

verdict = onward.verify(sys.stdin.buffer.read(), authserv_id="mx.example.net",
                        dns=pathlib.Path(sys.argv[1]))
print("Authentication-Results:", verdict.authres)
sys.exit(0 if verdict.passed else 1)
