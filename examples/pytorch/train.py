"""Fits a line with PyTorch and records data, settings, weights and result. The same seed gives the same state digest:
compare `model.state.json` of two runs."""

import torch

from blockchaintracer import MLTracer
from blockchaintracer.integrations.datasets import log_dataset
from blockchaintracer.integrations.torch import capture, log_model

tracer = MLTracer()
tracer.seed_everything(7)
torch.use_deterministic_algorithms(True)
x = torch.randn(256, 3)
y = x @ torch.tensor([1.0, -2.0, 0.5]) + 0.1 * torch.randn(256)

with tracer.start_run("line") as run:
    capture(run)
    log_dataset(run, {"x": x.numpy(), "y": y.numpy()}, "line")
    model = torch.nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run.log_params({"lr": 0.1, "steps": 100})
    for _ in range(100):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(model(x).squeeze(1), y)
        loss.backward()
        optimizer.step()
    run.log_metric("loss", loss.item())
    print("state", log_model(run, model).sha256)
print("run", run.recorded.id)
