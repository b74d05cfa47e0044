#!/bin/sh -eu
sed -i '/operation ==/d' podnames.rego
