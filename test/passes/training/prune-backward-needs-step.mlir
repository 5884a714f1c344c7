// RUN: tte-opt %s --verify-diagnostics --tte-prune-backward

// expected-error@below {{the module needs @forward and @train_step; run tte-autodiff first}}
module {
}
