"""`python -m data_preprocessing`: the task `data` of the loop."""

import sys

from data_preprocessing.task import main

sys.exit(main())
