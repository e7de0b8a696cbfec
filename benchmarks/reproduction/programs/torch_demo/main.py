import argparse
import csv
import json

import torch
from torch import nn


def main():
    parser = argparse.ArgumentParser(description="PyTorch iris example")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--lr", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(1)

    with open("iris.csv") as f:
        rows = list(csv.reader(f))[1:]
    x = torch.tensor([[float(v) for v in r[:4]] for r in rows])
    y = torch.tensor([int(r[4]) for r in rows])
    order = torch.randperm(len(x))
    train, test = order[:100], order[100:]

    model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(args.epochs):
        optimizer.zero_grad()
        loss = criterion(model(x[train]), y[train])
        loss.backward()
        optimizer.step()
        print("Train Epoch: {}\tLoss: {:.6f}".format(epoch, loss.item()))
    with torch.no_grad():
        logits = model(x[test])
    metrics = {
        "test": {
            "loss": criterion(logits, y[test]).item(),
            "correct": int((logits.argmax(1) == y[test]).sum()),
        }
    }
    torch.save(model.state_dict(), "iris.pt")
    with open("metrics.json", "w") as f:
        json.dump(metrics, f)


if __name__ == "__main__":
    main()
