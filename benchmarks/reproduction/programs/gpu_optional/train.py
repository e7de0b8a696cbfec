import csv

import torch

device = "cuda" if torch.cuda.is_available() else "cpu"
torch.manual_seed(3)
rows = list(csv.reader(open("iris.csv")))[1:]
data = torch.tensor([[float(v) for v in r] for r in rows], device=device)
x, y = data[:, :3], data[:, 3:4]
w = torch.randn(3, 1, device=device, requires_grad=True)
for step in range(200):
    loss = ((x @ w - y) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        w -= 0.01 * w.grad
        w.grad.zero_()
print(f"device={device} final loss {loss.item():.8f}")
