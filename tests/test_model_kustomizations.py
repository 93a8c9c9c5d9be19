"""What kustomize would make of a folder: files, namespaces, generated ConfigMaps with their keys."""

from __future__ import annotations

from pathlib import Path

from tocsin.model import Model

_DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: a}
spec:
  selector: {matchLabels: {app: a}}
  template: {metadata: {labels: {app: a}}, spec: {containers: [{name: a, image: a}]}}
"""


def model(tmp_path: Path, files: dict[str, str]) -> Model:
    """Return the model of some files."""
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return Model.of(tmp_path)


def test_a_namespace_holds_for_all_that_is_taken_in(tmp_path: Path) -> None:
    """That of an overlay reaches the objects of its base; what nobody takes in keeps its own."""
    one = model(
        tmp_path,
        {
            "base/kustomization.yaml": "resources: [a.yaml]\n",
            "base/a.yaml": _DEPLOYMENT,
            "over/kustomization.yml": "namespace: production\nresources: [../base]\n",
            "lone.yaml": _DEPLOYMENT.replace("{name: a}", "{name: b, namespace: own}"),
        },
    )
    found = {each.name: one.cluster.namespaces(each) for each in one.cluster.of("Deployment")}

    assert found == {"a": {"production"}, "b": {"own"}}
    assert [root.name for root in one.cluster.kustomizations.roots] == ["over/kustomization.yml"]


def test_a_generator_makes_keys_of_files_literals_and_variables(tmp_path: Path) -> None:
    """A file's key is its name, or what stands before the equals sign; a file that is not there is told."""
    text = """\
namespace: n
configMapGenerator:
- name: c
  files: [x/a.yml, b.yml=x/c.yml, gone.yml]
  literals: [A=1]
  envs: [v.env]
"""
    one = model(
        tmp_path, {"kustomization.yaml": text, "x/a.yml": "a: 1\n", "x/c.yml": "a: 1\n", "v.env": "# note\nB=2\n"}
    )
    (generator,) = one.cluster.kustomizations.generators

    keys = {entry.key: entry.file for entry in generator.entries}
    assert keys == {"a.yml": "x/a.yml", "b.yml": "x/c.yml", "gone.yml": None, "A": None, "B": None}
    assert [path for _, path in generator.missing] == ["gone.yml"]
    assert one.cluster.held("ConfigMap", "c", {"n"})
    assert not one.cluster.held("ConfigMap", "c", {"other"})


def test_what_is_merged_or_fetched_is_not_whole(tmp_path: Path) -> None:
    """A generator that adds to another has not all keys, and a build with a remote resource not all objects."""
    text = "resources: ['https://example.org/x']\nconfigMapGenerator: [{name: c, behavior: merge, literals: [A=1]}]\n"
    one = model(tmp_path, {"kustomization.yaml": text})

    assert not one.cluster.kustomizations.generators[0].whole
    assert one.cluster.kustomizations.all["kustomization.yaml"].opaque


def test_a_patch_is_no_object_and_marks_the_one_that_it_changes(tmp_path: Path) -> None:
    """What stands in a patch file is a piece, and of what is patched the manifest does not tell all."""
    text = """\
resources: [a.yaml]
patches:
- path: p.yaml
- target: {kind: Service}
  patch: "[]"
"""
    one = model(tmp_path, {"kustomization.yaml": text, "a.yaml": _DEPLOYMENT, "p.yaml": _DEPLOYMENT})

    assert [each.part.file for each in one.cluster.objects] == ["a.yaml"]
    assert one.cluster.kustomizations.patched >= {("Deployment", "a"), ("Service", "")}
    assert not one.cluster.pods[0].labels_whole
