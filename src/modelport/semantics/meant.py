"""What people mean by keys that other libraries have, and how `model.toml` has them."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = [
    "APP_KEYS",
    "BATCHING_KEYS",
    "EXAMPLE_KEYS",
    "INPUT_KEYS",
    "OUTPUT_KEYS",
    "SOURCE_KEYS",
]


def _table(*groups: tuple[str, str]) -> dict[str, str]:
    """From lists of words, each with what is meant by them."""
    return {word: meant for words, meant in groups for word in words.split()}


INPUT_KEYS: Mapping[str, str] = _table(
    ("type datatype data_type data_types", "'dtype'"),
    ("dims dim dimensions size", "'shape'"),
    ("names features feature_names column", "'columns'"),
    ("min low lower least", "'minimum'"),
    ("max high upper most", "'maximum'"),
    ("range bounds", "'minimum' and 'maximum'"),
    ("values categories options enum allowed", "'choices'"),
    ("units", "'unit'"),
    ("optional missing null required", "'nullable'"),
    ("help doc title label", "'description'"),
    ("mean std", "kind = 'number' with it"),
    ("codes", "kind = 'category' with it"),
    ("resize filter channels layout scale", "kind = 'image' with it"),
    ("tokenizer max_tokens", "kind = 'text' with it"),
    ("rate", "kind = 'audio' with it"),
    ("tensor", "kind = 'image', 'text' or 'audio' with it"),
    ("padding pad_value padding_value fill pad_token_id", "'pad'"),
    ("mask attention_mask mask_for", "'mask_of'"),
)
"""By a word in `[inputs.NAME]` without a kind."""

BATCHING_KEYS: Mapping[str, str] = _table(
    ("max_batch max_batch_size batch_size size rows max_size preferred_batch_size", "'max_rows'"),
    ("enable on active dynamic dynamic_batching batch disabled", "'enabled'"),
    ("latency latency_objective target slo max_latency max_latency_ms p99", "'objective'"),
    ("wait max_wait timeout batch_timeout max_queue_delay_microseconds delay", "'objective'"),
)
"""By a word in `[batching]`."""

_FILLS = ("input input_name fills", "'tensor'")

SOURCE_KEYS: Mapping[str, Mapping[str, str]] = {
    "image": _table(
        _FILLS,
        ("color colour colors colours color_order colour_order mode rgb bgr", "'channels'"),
        ("normalize normalise normalization normalisation", "'mean' and 'std'"),
        ("means image_mean", "'mean'"),
        ("stds image_std deviation", "'std'"),
        ("interpolation resample resampling", "'filter'"),
        ("crop center_crop centre_crop do_center_crop crop_size", "resize = 'crop'"),
        ("pad letterbox padding", "resize = 'pad'"),
        ("stretch", "resize = 'stretch'"),
        ("width height shape image_size input_size dims", "size = [height, width]"),
        ("rescale rescale_factor factor", "'scale'"),
        ("shortest_edge shorter_side", "'short_side'"),
        ("format data_format order dim_order", "'layout'"),
        ("pad_value fill_value background", "'fill'"),
    ),
    "text": _table(
        _FILLS,
        ("max_length max_len maxlen length limit model_max_length max_seq_length", "'max_tokens'"),
        ("truncation", "'truncate'"),
        ("pad", "'padding'"),
        ("attention_mask", "'mask'"),
        ("token_type_ids segments", "'types'"),
        ("input_ids ids tokens", "'tensor'"),
        ("vocab vocabulary tokenizer_file", "'tokenizer'"),
    ),
    "audio": _table(
        _FILLS,
        ("sample_rate samplerate sampling_rate frequency hz sr", "'rate'"),
        ("max_seconds max_length max_duration duration seconds", "'max_s'"),
    ),
    "category": _table(
        ("values categories options names classes labels enum", "'choices'"),
        ("code numbers indices", "'codes'"),
        ("column one_hot onehot", "'columns'"),
        ("optional missing", "'nullable'"),
    ),
    "number": _table(
        ("scale sigma deviation stddev variance", "'std'"),
        ("average mu offset center centre", "'mean'"),
        ("min", "'minimum'"),
        ("max", "'maximum'"),
        ("units", "'unit'"),
        ("optional missing", "'nullable'"),
    ),
}
"""By the kind of a source and a word in its table."""

OUTPUT_KEYS: Mapping[str, str] = _table(
    ("type", "'kind'"),
    ("names categories class class_names label_names values choices", "'classes'"),
    ("topk top k limit", "'top_k'"),
    ("iou nms nms_threshold iou_threshold", "'overlap'"),
    ("confidence conf min_score score_threshold cutoff", "'threshold'"),
    ("score", "'scores'"),
    ("box_format format", "'form'"),
    ("normalized normalised", "'relative'"),
    ("units", "'unit'"),
    ("softmax", "kind = 'logits'"),
    ("cut trim crop length_of unpad", "'cut_like'"),
    ("activation", "kind = 'logits', or kind = 'multilabel' with sigmoid = true"),
)
"""By a word in `[outputs.NAME]`."""

APP_KEYS: Mapping[str, str] = _table(
    ("name heading label", "'title'"),
    ("help doc subtitle about", "'description'"),
    ("fields columns order show shown visible hide hidden", "'inputs', with those that are shown"),
    ("values defaults default constants preset presets", "[app.fixed]"),
    ("color theme theme_color theme_colour primary accent", "'colour'"),
    ("open anonymous share shared anyone auth", "'public'"),
    ("example examples", "[[examples]], at the top level"),
)
"""By a word in `[app]`."""

EXAMPLE_KEYS: Mapping[str, str] = _table(
    ("request inputs data value row", "'input'"),
    ("title label description", "'name'"),
)
"""By a word in `[[examples]]`."""
