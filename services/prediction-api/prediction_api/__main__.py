"""`python -m prediction_api` does what the console script does."""

import sys

from prediction_api.cli import main

if __name__ == "__main__":
    sys.exit(main())
