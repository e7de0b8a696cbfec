import csv
from argparse import ArgumentParser

import lightning as L
import torch
from lightning.pytorch.loggers import CSVLogger
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Iris(L.LightningModule):
    def __init__(self, lr):
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))

    def training_step(self, batch, _):
        x, y = batch
        loss = nn.functional.cross_entropy(self.net(x), y)
        self.log("train_loss", loss, on_epoch=True, on_step=False)
        return loss

    def validation_step(self, batch, _):
        x, y = batch
        self.log("val_acc", (self.net(x).argmax(1) == y).float().mean())

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=self.hparams.lr)


if __name__ == "__main__":
    parser = ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lr", type=float, default=0.02)
    args = parser.parse_args()
    L.seed_everything(args.seed, workers=True)
    with open("iris.csv") as file:
        rows = [[float(v) for v in row] for row in list(csv.reader(file))[1:]]
    data = torch.tensor(rows)
    data = data[torch.randperm(len(data))]
    sets = [TensorDataset(part[:, :4], part[:, 4].long()) for part in (data[:100], data[100:])]
    trainer = L.Trainer(max_epochs=5, deterministic=True, accelerator="cpu", logger=CSVLogger("logs"), log_every_n_steps=1)
    trainer.fit(Iris(args.lr), DataLoader(sets[0], batch_size=20, shuffle=True), DataLoader(sets[1], batch_size=50))
