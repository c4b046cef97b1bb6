#!/usr/bin/env bash
# Spoon on Towel as published for openvla_phi3, the number beside the published ones. Options go on.
exec simpler-eval reproduce openvla_phi3 widowx_spoon_on_towel "$@"
