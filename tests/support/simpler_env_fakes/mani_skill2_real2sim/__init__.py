import os
from pathlib import Path

ASSET_DIR = Path(os.environ["MS2_REAL2SIM_ASSET_DIR"])
