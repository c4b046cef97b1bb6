#!/usr/bin/env bash
# Eggplant in Basket as published for tracevla_phi3, the number beside the published ones. Options go on.
exec simpler-eval reproduce tracevla_phi3 widowx_put_eggplant_in_basket "$@"
