#!/bin/sh -eu
sed -i '/port: 80$/d; 0,/    ports:/s///' policies.yaml
