#!/bin/sh -eu
sed -i.bak '/shipper:0.8/q' report.yaml
