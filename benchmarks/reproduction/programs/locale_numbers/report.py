import csv
import locale

locale.setlocale(locale.LC_ALL, "")
with open("decay.csv") as file:
    counts = [float(row["counts"]) for row in csv.DictReader(file)]
print("total " + locale.format_string("%.2f", sum(counts), grouping=True))
print(f"grouped {sum(counts):,.1f}")
print("order " + "".join(sorted("aBcAbC", key=locale.strxfrm)))
