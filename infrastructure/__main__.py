"""``python -m infrastructure``."""

import sys

from infrastructure.infrastructure_cli import main

sys.exit(main())
