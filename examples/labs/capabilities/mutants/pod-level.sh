#!/bin/sh -eu
sed 's/^spec:/spec:\n  securityContext:\n    capabilities:\n      drop: ["ALL"]/' web.yaml > changed.yaml
mv changed.yaml web.yaml
