#!/bin/sh -eu
sed '/# of web/d' web.yaml > changed.yaml
mv changed.yaml web.yaml
