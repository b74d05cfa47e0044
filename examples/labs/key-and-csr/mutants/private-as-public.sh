#!/bin/sh -eu
openssl pkey -in orders.key -out orders.pub
