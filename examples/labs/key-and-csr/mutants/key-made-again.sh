#!/bin/sh -eu
openssl genrsa -out orders.key 2048
