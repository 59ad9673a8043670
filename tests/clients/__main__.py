"""What README shows and what /openapi.json says, held to a running server."""

import sys

import contract
import demo
import readme

with demo.running() as running:
    fine = [readme.check(running), contract.check(running)]
sys.exit(not all(fine))
