#!/usr/bin/env bash
# Move Near as published for openvla_phi3, the number beside the published ones. Options go on; --setting variant_aggregation for the other published setting.
exec simpler-eval reproduce openvla_phi3 google_robot_move_near "$@"
