# Names and shapes of timm's BiT networks, for tests/configs/model_shapes_test.cpp.
# python3 timm_shapes.py > timm_shapes.json      with timm==1.0.31, torch==2.13.0
import json

import timm
import torch

NETWORKS = {"bit_r50x1": "resnetv2_50x1_bit", "bit_r101x1": "resnetv2_101x1_bit", "bit_r152x2": "resnetv2_152x2_bit"}

with torch.device("meta"):
    shapes = {
        ours: {name: list(tensor.shape) for name, tensor in timm.create_model(theirs, num_classes=0).state_dict().items()}
        for ours, theirs in NETWORKS.items()
    }
print(json.dumps({"versions": {"timm": timm.__version__, "torch": torch.__version__}, "networks": shapes}, separators=(",", ":")))
