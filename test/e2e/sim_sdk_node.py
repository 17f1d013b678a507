#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The openai npm package against the simulator: every operation, byte for byte, with its usage."""

from sdk.simrun import FOLDER, main, node

main([node(), str(FOLDER / "openai_node.mjs")])
