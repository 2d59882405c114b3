#!/bin/sh
# Prints the total of a receipt.
# Usage: sh total.sh FILE
set -eu

sum=0
while read -r cents _name; do
    sum=$((sum + cents))
done <"$1"

printf '%d.%02d\n' $((sum / 100)) $((sum % 100))
