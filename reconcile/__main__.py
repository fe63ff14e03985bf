"""`python -m reconcile`."""

import sys

from reconcile.cli.main import main

sys.exit(main())
