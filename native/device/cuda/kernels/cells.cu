// The steps of all cells (formulas/cells).
#include "device/cuda/kernels/card.h"

HS_KERNELS_BEGIN
#include "cells.inc"
HS_KERNELS_END
