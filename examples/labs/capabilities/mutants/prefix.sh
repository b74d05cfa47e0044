#!/bin/sh -eu
sed 's/SYS_TIME/CAP_SYS_TIME/' clock.yaml > changed.yaml
mv changed.yaml clock.yaml
