"""What all stages share: the context that computes in bf16."""

import torch

from training.doodle import run


def test_fast_computes_in_bf16_where_it_should_and_weights_stay_fp32() -> None:
    cpu, layer = torch.device("cpu"), torch.nn.Conv2d(3, 4, 3)
    for is_bf16, dtype in ((True, torch.bfloat16), (False, torch.float32)):
        with run.fast(cpu, is_bf16):
            answer = layer(torch.ones(1, 3, 8, 8))
        assert answer.dtype == dtype
        layer.zero_grad()
        answer.float().sum().backward()
        assert layer.weight.grad is not None
        assert layer.weight.dtype == layer.weight.grad.dtype == torch.float32
