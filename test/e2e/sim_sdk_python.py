#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The openai Python package against the simulator: every operation, strictly validated, byte for byte."""

import sys

from sdk.simrun import FOLDER, main

main([sys.executable, str(FOLDER / "openai_python.py")])
