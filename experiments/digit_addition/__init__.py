"""digit_addition: the image of 7 and the number 2 make an image of 9 (report 003, parts III and IV).

An encoder E, an adder P and a decoder D learn to draw a + b from an image of a and the number b. In part IV the code of
the image becomes a distribution (vae), then that of the sum too (generative). The report tells how it came to see
nothing but "fuzzy nines", what balanced data and a learned map of the number changed, which sixteen settings of four
loss weights it tried (rows 1 to 16), and what the models draw for 7 + 1.5. Arms called plain lack the learned map of
the number, ValueToLatent; pairs are balanced, sums alike, unless an arm's name says natural (b evenly up to 9 - a) or
course. The report judged by eye; here a classifier of real digits reads every image, and outcomes are thresholds on
what it reads: see the notes.

Source    "Learning to Sum and to Generate Images of Numbers" (University of Burgundy, assignment I),
          003_a7ffb30fa963b16e.txt: parts III and IV; one run of each, no seed; MNIST, Adam 1e-3, 100 epochs
Expected  experiments/results/digit_addition.json (narrower networks, fewer epochs, pairs drawn anew: every arm adds,
          none collapses), digit_addition_table.json (3 epochs, so not judged: rows 12 to 16 end as the report says,
          rows 1 to 11 don't) and digit_addition_sum.json (the KL summed over a batch: most rows draw one picture);
          none yet of the course's pairs
Run       python -m experiments.digit_addition --seeds 3
Also      --table (the sixteen rows, all in one program); --rows 2 4 9 (some of them); --arms generative
          generative-course --table --kl sum --batch-size 64 (what could make nines); --arms adder vae-natural (as many
          pairs as images, drawn anew, as committed results have them); --source synthetic
"""

import jaxae as ae
from experiments import result
from experiments.digit_addition.measures import measure
from experiments.digit_addition.method import Config, arms, claims, train
from experiments.digit_addition.words import say

EXPERIMENT = ae.Experiment(__name__, __doc__, Config, arms, train, claims, measure, say, result("digit_addition"))
