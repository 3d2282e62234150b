"""digit_codes: three decoders, two losses and two code sizes for MNIST (report 003, part II).

One convolutional encoder, and decoders that enlarge by transposed convolution, by nearest upsampling or by
interpolation, each trained on the squared error and on the binary cross-entropy, with codes of 2 and of 7 numbers:
twelve arms. The report compares the RMSE of one loss with the cross-entropy of the other; here every arm has both, on
training and validation images. It calls the transposed decoder the best; here decoders are compared in pairs over
seeds. Its "nearest interpolation" is nearest upsampling: its second and third decoders are one network with two names,
so that what lies between them is chance alone.

Source    "Learning to Sum and to Generate Images of Numbers" (University of Burgundy, assignment I),
          003_a7ffb30fa963b16e.txt: part II; one run of each arm, no seed given; MNIST, Adam 1e-3, 100 epochs
Expected  experiments/results/digit_codes.json and, with batches of 32, digit_codes_batch_32.json and, of codes of 7,
          digit_codes_7_batch_32.json (fewer epochs and images than the report's: two-core runs)
Run       python -m experiments.digit_codes --seeds 3
Also      --arms transposed-2-mse interpolation-2-mse; --interpolation bilinear; --patience 10; --source synthetic
"""

import jaxae as ae
from experiments import own_images, result
from experiments.digit_codes.measures import measure
from experiments.digit_codes.method import Config, arms, claims, train
from experiments.digit_codes.words import say

ABOUT = own_images.about(
    "digit_codes: three decoders, two losses and two code sizes for",
    "One convolutional encoder, and decoders that enlarge by transposed convolution, by nearest upsampling or by "
    "interpolation, each trained on the squared error and on the binary cross-entropy, with codes of 2 and 7 numbers.",
)
EXPERIMENT = ae.Experiment(
    __name__, __doc__, Config, arms, train, claims, measure, say, result("digit_codes"), about=ABOUT
)
