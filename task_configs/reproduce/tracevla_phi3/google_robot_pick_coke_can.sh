#!/usr/bin/env bash
# Pick Coke Can as published for tracevla_phi3, the number beside the published ones. Options go on; --setting variant_aggregation for the other published setting.
exec simpler-eval reproduce tracevla_phi3 google_robot_pick_coke_can "$@"
