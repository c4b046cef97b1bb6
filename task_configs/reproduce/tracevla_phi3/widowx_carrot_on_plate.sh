#!/usr/bin/env bash
# Carrot on Plate as published for tracevla_phi3, the number beside the published ones. Options go on.
exec simpler-eval reproduce tracevla_phi3 widowx_carrot_on_plate "$@"
