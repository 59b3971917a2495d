"""The one door to boto3: sessions, roles, regions, refusals and the pace of requests."""
