import csv
import sqlite3

base = sqlite3.connect("decay.db")
base.execute("CREATE TABLE IF NOT EXISTS counts (t REAL, n REAL)")
with open("decay.csv") as file, base:
    base.executemany("INSERT INTO counts VALUES (?, ?)", list(csv.reader(file))[1:])
rows, mean, late = base.execute("SELECT count(*), avg(n), sum(n * (t > 40)) FROM counts").fetchone()
print(f"rows={rows} mean={mean:.6f} late={late}")
