"""Checkpoints by torchvision's names: read without PyTorch, refused when they ask for more or don't fit."""

import base64
import os
import pickle
import sys
import types
import zipfile
import zlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from prepared import refused

from jaxae import online
from jaxae.errors import UsageError
from jaxae.models import ResNet18, resnet, weights
from jaxae.models.weights import files
from jaxae.models.weights import pickled as reading

# torch.save (2.13) of a transposed and a cut view of one storage, halves, a scalar, nothing, and a Parameter: as it
# writes now, and with _use_new_zipfile_serialization=False
WRITTEN = {
    "zip": (
        r"c-p0w&2QsG7{(`GPRN$DT^71qpe)N*3fnZc6DQero7Su>BqMEWJ`}h_ZsIl;Zk*Sdlr9odCDZ~Z5aNvZFAygxPFz{3oH(qs2ecOuCk}gI#%{"
        r"fyY1*o-lQ&UPKfihAotdXu))PsDG8uH_8bg<n>9socrZw9(v03PS;%I6Peau|j@m9-q9IJ(Gx7*L&_1czaweQ$1oCP#(KrG*g5ts?_7Iq1(&"
        r">Udf>1UgswK}k!b`x9OzUwtNr7R@!`9_-D+$VRM>lP#fNmg@Q6TcUHnT3=OEP~KTkoQ(^0BL;$LuN%sdQwm9!c%%oPwqnY>kc(=3B!m1Py3="
        r"($aTmdon$A~5jwtXbVX0;aXr2ZV?-U>h4Dak8N)LMTxpQzppNOR!Lxz#z|uS9tI*MNK3s$ef{bIhN}a@a;F=!Wfyn^(Jcbtxc(IY9E<Drj!W"
        r"6?({W*$C$b89XN^qSpV;EkhOoF>XUtS5AuVQ%3fY*Iy%N=wvyumQvb-U{!FIWZ{rUTxagf~4MaNfdj(|{SDV{P>CJt!P@$rqJimWU9BA~k_%"
        r"uSC)^(km$d$QVinl>PPSnI0&|EH(L?xnW_;%R+@2p$yfab+v=m-J;W+3+VG0ZX2-hmH(msB`g}SG$<_V>CDXETOV!35u&wx>^`1AZ-@K1u;z"
        r"LjCT?z8UZ3n&O|5g=`OKF{jr{b_pI^{<&^q48B&s|ya<Ipnrem*nH>@t!RQWt!loB;i{}djPCZPC<2F6i6G_ZOPTP{7UnmTup9ym6}jzvA}+"
        r"<tgXAfpH;ddQ&#CRJvOntJO31_J7KoxCiPC#h{xKa$!b^?(#wB3VZ2I;r9kb-MNW+Cq_L$SF>*uuery9XsNbOlOZWmHqwiX;vgpVJ@;vNmJ)"
        r"9v;|R}j{a-?m;X**{~S`;(Pd3txZnXuAF!#5-XDLtbl6Pj0u6OB&$=jSYW3VM&ai&vq3h@Goo&C1->wMztp8!$Q8X8F!yKuccLH*jj{N%%>m"
        r"QuHep5(#5+MGR`j%&t1o_OQ|9zWwTT=^XG$Kk$wX9U+no?6r<RK}dC`z?jtteOJsv?)mwW=glB<k|#f4{k#CqDAN%NR8q`iy4r*b(Ra?+9KU"
        r"4bTZj`CA+vm)<-i8iJDyWF>)4NM4>34YF~Db3eif1C*CX(<R5qKTIMn`*>|MMOZCLaaxhrMl*obzRznVUK>5RtoA;yl@GPU&vx``2%NUWj~h"
        r"L4tagvrmU(UT%#1SHt7*iaP+lC}%2SN^yNG!BAzRi3;pX9yOw5GJ5$^qQ&?Z#P97d$zr=@%;_#FINNC|;v#J@kd_kZCdjFb"
    ),
    "legacy": (
        r"c-nQ7*>2N76o$u+(|}1!*ePq+6PA#~&c@O<6{?WTR&(PUWI4`I8@YClJ*iZrO1Wt$JOdY8@)&&-Zg~VGE;wU{K#H+)?09DU{lEV+9*Li1@8{"
        r">WAH{cHUoBQf;`8qrJnsN083jVfAPiVw2cEe_!^jPM5O9Gpk29Xjm`6?O_g%{eanF!(kZljB8M*Ii1eqO>N=6n3BPR$MWHr&q;GOF;nA0Rf;"
        r"*7xGfSe``hp1_zj7M#TDv|s$?9-6;pSU)Yfs}O+N``<>SRmRg2yLfg4w>skvKi9e(DnKzqka^G=2l&XOsQn#xG=7?HYiBRBl4OTSnPE&C_~m"
        r"*z%?CJZL1xn*;ZSvS{>$MkM>}Qw(>6+99q|iCTW>59M%L)8iV}N;dYKN$m=j4d+Nc0gOZNqq#}<x397KJVFsEwhGR$+#&A4AonUZMhf{GNj^"
        r"(|D(+O>2`Y8@gJ)ij_&~8*4N*n*eSriaaV3B(jcj25S?85m3eu2S79WKRv=!KT+!{r(JYMe=}IaMegQ0S<26|SIyfC^W+0>ZEH)AdB*27{YA"
        r"+=><KV2Ir<%_uy>9#84z8M@MGD@qe?Pw01$UM?rpyA1B>P>HE@bHKLY{=XR~1~F-<B7z{I#tjmlaUG+^jFkkZGHB?~jGH^KLTLSG6XBe-Nf`"
        r"}gXs7F`Ri$2q&Lr{&lgJ<PKprJpj~OiKu)G)FtbBm34y$~Bzv16h%IgbhJr&d1kV$)WDa~K{-li44UHOrlT*b+iERp@+b7YwuoF$`WUU~BO!"
        r"N<r7{;)<^U$FMEzG0CrAqA`=R<-*Jwqg)x"
    ),
}


@pytest.mark.parametrize("kind", WRITTEN)
def test_tensors_that_torch_wrote(kind, tmp_path):
    path = tmp_path / "tensors.pth"
    path.write_bytes(zlib.decompress(base64.b85decode(WRITTEN[kind])))
    found, base = files.load_tensors(path), np.arange(12, dtype=np.float32).reshape(3, 4)
    expected = {"a": base.T, "b": base[1:, 1:3], "half": [1.5, -2], "brain": [0.5], "count": 7, "par": [1, 1]}
    assert found.keys() == {*expected, "empty"}
    for name, value in expected.items():
        np.testing.assert_array_equal(np.asarray(found[name], np.float64), value)
    assert found["empty"].shape == (0, 2)
    for size in (40, 400, path.stat().st_size - 30):  # cut short
        path.write_bytes(zlib.decompress(base64.b85decode(WRITTEN[kind]))[:size])
        with pytest.raises(UsageError, match="is damaged"):
            files.load_tensors(path)


class Hostile:
    def __init__(self, call, *arguments):
        self.call = call, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("name", ["system", "eval", "attribute"])
def test_a_hostile_pickle_is_refused_before_anything_is_called(name, zipped, tmp_path):
    done = tmp_path / "done"
    hostile = {
        "system": Hostile(os.system, f"touch {done}"),
        "eval": Hostile(eval, f"open({str(done)!r}, 'w')"),
        "attribute": Hostile(getattr, dict, "clear"),
    }[name]
    content, path = pickle.dumps({"weight": hostile}, protocol=2), tmp_path / "hostile.pth"
    if zipped:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", content)
    else:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=r"hostile.pth asks for \w+\.\w+, which no tensor needs and which may do harm"):
        files.load_tensors(path)
    assert not done.exists()


@pytest.mark.parametrize(
    "pickled",
    [
        b"ccollections\nOrderedDict\n(N(dS'update'\nI1\nstb.",  # set the state of a class,
        b"ctorch._utils\n_rebuild_tensor_v2\n(dS'make'\nI1\nsb.",  # of a function,
        b"ctorch._utils\n_rebuild_tensor_v2\n(N(dS'__class__'\nccollections\nOrderedDict\nstb.",
        b"ctorch\nFloatStorage\n(N(dS'dtype'\nI1\nstb.",  # of a kind
        b"\x80\x04\x8c\x0bcollections\x8c\x14OrderedDict.fromkeys\x93.",  # ask for a part of what is known
    ],
)
def test_a_pickle_cannot_change_what_it_is_given(pickled, tmp_path):
    path, before = tmp_path / "hostile.pth", {**reading._MAKERS, **reading._KINDS}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
    with pytest.raises(UsageError, match=r"hostile\.pth "):
        files.load_tensors(path)
    assert before == {**reading._MAKERS, **reading._KINDS}


def test_an_encrypted_file_is_refused(tmp_path):
    path = tmp_path / "locked.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"(d.")
    content = bytearray(path.read_bytes())
    content[6] |= 1
    content[content.rfind(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"locked\.pth is neither .* or is damaged"):
        files.load_tensors(path)


def tensor_of_four(offset=0, size=4, stride=1):
    """A pickle's words as torch's, by hand: _rebuild_tensor_v2(storage of 4 floats, offset, size, stride, ...)."""
    storage = "(S'storage'\nctorch\nFloatStorage\nS'0'\nS'cpu'\nI4\ntQ"
    return f"ctorch._utils\n_rebuild_tensor_v2\n({storage}I{offset}\n(I{size}\nt(I{stride}\ntI00\nNtR"


def archive_of(path, words, numbers=4):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", words.encode() if isinstance(words, str) else words)
        archive.writestr("archive/data/0", np.arange(numbers, dtype="<f4").tobytes())
    return path


def test_a_tensor_reaching_out_of_its_storage_is_refused(tmp_path):
    for form, outside in (((0, 4, 1), False), ((1, 4, 1), True), ((0, 4, 100), True), ((3, 4, -1), True)):
        path = archive_of(tmp_path / "outside.pth", f"(dS'w'\n{tensor_of_four(*form)}s.")
        if outside:
            with pytest.raises(UsageError, match="w lies outside of its storage"):
                files.load_tensors(path)
        else:
            np.testing.assert_array_equal(files.load_tensors(path)["w"], [0, 1, 2, 3])


def test_reading_costs_no_more_than_the_file_has_bytes(tmp_path):
    nest = b"(I1\nt" + b"2\x86" * 200  # a pair of a pair ... of one tuple, 200 deep
    bombs = {
        "a memo for 4 thousand million things": b"(dr\xff\xff\xff\xff.",
        "a key whose hash takes 2**200 steps": b"(d" + nest + b"Ns.",
        "a pair whose first is a key like that": b"ccollections\nOrderedDict\n((" + nest + b"Nttt\x85R.",
        "4 thousand million letters": b"\x80\x04\x8d\xff\xff\xff\xff\x00\x00\x00\x00x.",
    }
    for name, words in bombs.items():
        try:
            assert files.load_tensors(archive_of(tmp_path / "bomb.pth", words)) == {}, name
        except UsageError as error:
            assert "bomb.pth" in str(error)
    path = archive_of(tmp_path / "overlapping.pth", f"(dS'w'\n{tensor_of_four()}s.", numbers=1000)
    content = path.read_bytes()
    listed, end = content[: content.index(b"PK\x01\x02")], content[content.index(b"PK\x05\x06") :]
    entries = content[len(listed) : -len(end)]
    several = 20 * entries  # all of the same few bytes
    counts = len(several) // len(entries) * 2
    end = end[:8] + 2 * counts.to_bytes(2, "little") + len(several).to_bytes(4, "little") + end[16:]
    path.write_bytes(listed + several + end)
    with pytest.raises(UsageError, match="its parts overlap"):
        files.load_tensors(path)
    many = "".join(f"S'{i}'\n{tensor_of_four(0, 4, 0)}s" for i in range(100))
    views = files.load_tensors(archive_of(tmp_path / "views.pth", f"(d{many}."))
    assert len(views) == 100
    assert all(np.shares_memory(view, views["0"]) for view in views.values())


@pytest.mark.parametrize("wrapper", ["", "state_dict", "model"])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.module."])
def test_wrapped_and_prefixed_weights_are_read(wrapper, prefix, tmp_path):
    inner = f"(dS'{prefix}w'\n{tensor_of_four()}s"
    words = f"(dS'epoch'\nI3\nsS'{wrapper}'\n{inner}s." if wrapper else f"{inner}."
    found = files.load_tensors(archive_of(tmp_path / "wrapped.pth", words))
    np.testing.assert_array_equal(found["w"], [0, 1, 2, 3])


def test_a_type_that_is_not_read_is_told_from_damage(tmp_path):
    path, header = tmp_path / "new.safetensors", b'{"w":{"dtype":"F4","shape":[2],"data_offsets":[0,1]}}   '
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"x")
    with pytest.raises(UsageError, match=r"holds w of the type F4, which isn't read here; save float32$"):
        files.load_tensors(path)
    header = b'{"w":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}   '[:-3]
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"\x38")
    assert float(files.load_tensors(path)["w"][0]) == 1.0


@pytest.fixture
def model(monkeypatch):
    monkeypatch.setattr(resnet, "WIDTHS", (4, 8))
    return ResNet18(classes=3)


@pytest.fixture
def variables(model):
    shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 32, 32, 3)))
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype(np.float32), shapes)


def test_what_is_saved_is_loaded_under_torchvisions_names(model, variables, tmp_path):
    path = tmp_path / "saved.safetensors"
    weights.save(path, variables)
    jax.tree.map(np.testing.assert_array_equal, weights.load(path, model), variables)
    tensors = files.load_tensors(path)
    kernel = variables["params"]["layer2_0"]["downsample_0"]["kernel"]
    np.testing.assert_array_equal(tensors["layer2.0.downsample.0.weight"], kernel.transpose(3, 2, 0, 1))
    np.testing.assert_array_equal(tensors["fc.weight"], variables["params"]["fc"]["kernel"].T)
    np.testing.assert_array_equal(tensors["bn1.running_var"], variables["batch_stats"]["bn1"]["var"])
    tensors["bn1.num_batches_tracked"] = np.zeros((), np.float32)
    tensors["fc.weight"] = np.zeros((1000, 8), np.float32)  # for an encoder, the last layer's size is no matter
    files.save_safetensors(path, tensors)
    assert "fc" not in weights.load(path, ResNet18(classes=None))["params"]


def test_small_images_stem_is_saved_too(tmp_path):
    model, path = ResNet18(classes=10, stem="cifar"), tmp_path / "saved.safetensors"
    shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 32, 32, 3)))
    made = jax.tree.map(lambda leaf: np.ones(leaf.shape, np.float32), shapes)
    weights.save(path, made)
    jax.tree.map(np.testing.assert_array_equal, weights.load(path, model), made)


def test_variables_of_another_model_are_not_saved_as_torchvisions(variables, tmp_path):
    path = tmp_path / "saved.safetensors"
    refused("variables of no ResNet18: its .*; save others by ae.save", weights.save, path, {"params": variables})
    refused("can't be written", weights.save, tmp_path / "no" / "saved.safetensors", variables)
    assert not list(tmp_path.iterdir())


def test_tensors_that_are_missing_too_many_or_misshaped_are_named(model, variables, tmp_path):
    path = tmp_path / "other.safetensors"
    weights.save(path, variables)
    tensors = files.load_tensors(path)
    del tensors["layer1.0.bn1.bias"]
    tensors |= {"layer9.weight": np.zeros(2, np.float32), "conv1.weight": np.zeros((4, 3, 3, 3), np.float32)}
    files.save_safetensors(path, tensors)
    with pytest.raises(
        UsageError,
        match=r"it lacks layer1\.0\.bn1\.bias; it has besides layer9\.weight; it differs in conv1\.weight "
        r"\(4, 3, 3, 3\) in place of \(4, 3, 7, 7\); give",
    ):
        weights.load(path, model)
    weights.save(path, variables)
    files.save_safetensors(path, files.load_tensors(path) | {"conv1.weight": np.full((4, 3, 7, 7), np.nan, np.float32)})
    with pytest.raises(UsageError, match=r"it has infinities or NaN in conv1\.weight; give"):
        weights.load(path, model)
    whole = path.read_bytes()
    for words, content in (("neither a .safetensors", b"weights"), ("damaged", whole[:-9]), ("is empty", b"")):
        path.write_bytes(content)
        with pytest.raises(UsageError, match=words):
            weights.load(path, model)
    with pytest.raises(UsageError, match=r"absent can't be read .*; name a file of weights"):
        weights.load(tmp_path / "absent", model)


def test_imagenet_weights_come_from_the_hub_its_cache_or_a_clear_sentence(monkeypatch):
    hub, asked, world = types.ModuleType("huggingface_hub"), [], {}

    def download(repository, file, local_files_only=False):
        asked.append(local_files_only)
        if local_files_only and not world["cached"]:
            raise OSError("not in the cache")
        return f"/cache/{repository}/{file}"

    vars(hub).update(hf_hub_download=download, hf_hub_url=lambda repository, file: f"http://{repository}/{file}")
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    monkeypatch.setattr(online, "answers", lambda url: world["reached"])
    for cached, reached, calls in ((True, False, [True]), (False, True, [True, False])):
        world.update({"cached": cached, "reached": reached})
        asked.clear()
        assert weights.imagenet().name == "model.safetensors"
        assert asked == calls
    world = {"cached": False, "reached": False}
    with pytest.raises(UsageError, match=r"resnet18.* is not in the cache and its server doesn't answer within 1\.5 s"):
        weights.imagenet()
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(UsageError, match=r"install it with: python3 -m pip --python .* install huggingface_hub"):
        weights.imagenet()
