"""
=========================================
Logistic regression on the iris data set
=========================================

Fits a multinomial model to a random half of the flowers and scores it on the other half.
"""

# %%
import csv

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import train_test_split

with open("iris.csv") as f:
    rows = list(csv.reader(f))[1:]
X = np.array([row[:4] for row in rows], dtype=float)
y = np.array([row[4] for row in rows], dtype=int)

# %%
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.5, random_state=0)
model = LogisticRegression(C=1.0, max_iter=1000).fit(X_train, y_train)
probability = model.predict_proba(X_test)

print("Accuracy: %.4f" % accuracy_score(y_test, model.predict(X_test)))
print("Log loss: %.10f" % log_loss(y_test, probability))
