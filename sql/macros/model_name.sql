-- description: A model's identifier as people group by it: the ARN of a foundation model without
--   all that stands before the model's id; any other identifier unchanged.
-- grain: a scalar
-- parameters: a model id or ARN
create macro model_name(model) as split_part(model, ':foundation-model/', -1)
