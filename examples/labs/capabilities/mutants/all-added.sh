#!/bin/sh -eu
sed 's/SYS_TIME/ALL/' clock.yaml > changed.yaml
mv changed.yaml clock.yaml
