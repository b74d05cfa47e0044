#!/bin/sh -eu
sed -i 's/^rules:/rules:\n- level: Request\n  verbs: ["create", "update", "patch", "delete", "deletecollection"]/' policy.yaml
