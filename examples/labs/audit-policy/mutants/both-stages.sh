#!/bin/sh -eu
sed -i 's/\["RequestReceived"\]/["RequestReceived", "ResponseComplete"]/' policy.yaml
