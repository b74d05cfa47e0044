#!/bin/sh -eu
sed -i 's/, "deletecollection"//' policy.yaml
