#!/bin/sh
./integrate < decay.csv
