#!/usr/bin/env bash
# Place Apple in Drawer as published for tracevla_phi3, the number beside the published ones. Options go on; --setting variant_aggregation for the other published setting.
exec simpler-eval reproduce tracevla_phi3 google_robot_place_apple_in_closed_top_drawer "$@"
