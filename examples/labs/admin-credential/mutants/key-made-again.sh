#!/bin/sh -eu
openssl genrsa -out admin.key 2048
