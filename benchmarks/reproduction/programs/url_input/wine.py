import csv
import io
import random
import urllib.request

URL = "{url}/wine.csv"
text = urllib.request.urlopen(URL).read().decode()
rows = list(csv.reader(io.StringIO(text)))[1:]
alcohol = [float(row[0]) for row in rows]
random.seed(4)
sample = random.sample(alcohol, 100)
print("rows:", len(rows))
print("mean alcohol of the sample:", sum(sample) / len(sample))
