#!/bin/sh -eu
sed 's/drop: .*# of web/drop: ["ALL", "NET_BIND_SERVICE"]/' web.yaml > changed.yaml
mv changed.yaml web.yaml
